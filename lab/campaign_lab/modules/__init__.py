"""The modules of the stand-in server, one file each (watchdog and syslogd lie a level up)."""
