INSERT INTO audit (chain, seq, time, actor, action, target, result, severity, client, request_id, detail, prev_hash, hash)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
