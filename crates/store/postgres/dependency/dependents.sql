SELECT task FROM dependency WHERE depends_on = $1 ORDER BY task
