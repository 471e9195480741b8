INSERT INTO audit_count (chain, action, entries, first_at, last_at) VALUES (?1, ?2, 1, ?3, ?3)
ON CONFLICT (chain, action) DO UPDATE SET
    entries = audit_count.entries + 1,
    first_at = CASE WHEN excluded.first_at < audit_count.first_at THEN excluded.first_at ELSE audit_count.first_at END,
    last_at = CASE WHEN excluded.last_at > audit_count.last_at THEN excluded.last_at ELSE audit_count.last_at END
