DELETE FROM idempotency WHERE day < ?1
