-- Only from the state and the try that the caller knows. Another try begins without a thing. Many at once: each parameter is a
-- list, one value a row.
UPDATE run_item AS t
SET state = n.state, tries = n.tries, rest = n.rest, thing = CASE WHEN t.tries = n.tries THEN t.thing END,
    result = n.result, error = n.error
FROM (SELECT unnest($1::bigint[]) AS run, unnest($2::bigint[]) AS stage, unnest($3::bigint[]) AS attempt,
             unnest($4::bigint[]) AS item, unnest($5::smallint[]) AS was, unnest($6::bigint[]) AS was_tries,
             unnest($7::smallint[]) AS state, unnest($8::bigint[]) AS tries, unnest($9::bigint[]) AS rest,
             unnest($10::text[]) AS result, unnest($11::text[]) AS error) AS n
WHERE t.run = n.run AND t.stage = n.stage AND t.attempt = n.attempt AND t.item = n.item AND t.state = n.was
  AND t.tries = n.was_tries
