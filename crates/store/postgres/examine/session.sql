-- Which session answers: a pool may give each transaction another one.
SELECT pg_backend_pid()
