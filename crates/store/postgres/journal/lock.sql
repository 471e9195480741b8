-- Whoever writes has this lock until its transaction ends: one transaction after the other, whichever server it is of.
SELECT pg_advisory_xact_lock($1)
