-- Many at once: each parameter is a list, one value an entry; those of one chain and action are one row.
INSERT INTO audit_count (chain, action, entries, first_at, last_at)
SELECT chain, action, count(*), min(time), max(time)
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS entry (chain, action, time)
GROUP BY chain, action
ON CONFLICT (chain, action) DO UPDATE SET
    entries = audit_count.entries + excluded.entries,
    first_at = least(excluded.first_at, audit_count.first_at),
    last_at = greatest(excluded.last_at, audit_count.last_at)
