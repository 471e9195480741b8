-- Many at once: each parameter is a list, one value an entry; those of one chain and action are one row.
INSERT INTO audit_count (chain, action, entries, first_at, last_at)
SELECT chain, action, count(*), min(time), max(time)
FROM (SELECT unnest($1::text[]) AS chain, unnest($2::text[]) AS action, unnest($3::bigint[]) AS time) AS entry
GROUP BY chain, action
ON CONFLICT (chain, action) DO UPDATE SET
    entries = audit_count.entries + excluded.entries,
    first_at = least(excluded.first_at, audit_count.first_at),
    last_at = greatest(excluded.last_at, audit_count.last_at)
