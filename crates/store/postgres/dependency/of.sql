SELECT depends_on FROM dependency WHERE task = $1 ORDER BY depends_on
