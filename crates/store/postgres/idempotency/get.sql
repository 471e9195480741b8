SELECT body, status, answer FROM idempotency
WHERE day IN ($1::bigint, $1::bigint - 1) AND key = $2 AND time > $3
ORDER BY day DESC LIMIT 1
