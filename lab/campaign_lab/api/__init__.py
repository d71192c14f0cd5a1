"""The server's API behind ``soaprouter.jsp``: schemas, expressions, queries, methods.

Loaded by web at the first SOAP call, and once when a database is made.
"""
