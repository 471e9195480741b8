DELETE FROM idempotency WHERE day IN ($1::bigint, $1::bigint - 1) AND key = $2
