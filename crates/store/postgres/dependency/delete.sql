DELETE FROM dependency WHERE task = $1 AND depends_on = $2
