DELETE FROM artifact WHERE task = $1 AND run IS NULL
