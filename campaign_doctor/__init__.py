"""The command line of campaign.remediation: one command, exit codes, reports and a history."""
