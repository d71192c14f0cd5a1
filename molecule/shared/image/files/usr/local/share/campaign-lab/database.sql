CREATE ROLE campaign LOGIN PASSWORD 'neolane-secret-42';
CREATE DATABASE campaign OWNER campaign;
