SELECT scope, key, second, starts FROM rate_start WHERE second >= $1
