DELETE FROM idempotency WHERE day IN (?1, ?1 - 1) AND key = ?2
