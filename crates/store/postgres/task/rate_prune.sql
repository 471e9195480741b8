DELETE FROM rate_start WHERE second < $1
