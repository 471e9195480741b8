-- From a number on, since what was forgotten lies before the first one as long as somebody's transaction is open.
SELECT coalesce(min(seq), 0) FROM journal WHERE seq >= $1
