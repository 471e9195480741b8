-- Is still there, also where it has nothing to say yet: the journal is kept for it.
UPDATE server SET seen_at = $3 WHERE name = $1 AND instance = $2
