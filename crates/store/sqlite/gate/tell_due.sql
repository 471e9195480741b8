SELECT id FROM gate INDEXED BY gate_by_notice
WHERE state = 'open' AND tell_at IS NOT NULL AND tell_at <= ?1
ORDER BY tell_at
LIMIT ?2
