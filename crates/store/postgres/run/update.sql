-- Many at once: each parameter is a list, one value a row.
UPDATE run AS t
SET state = n.state, reruns = n.reruns, stops_asked = n.asked, stops_stopped = n.stopped,
    stops_unconfirmed = n.unconfirmed, begun_at = n.begun_at, ended_at = n.ended_at, error = n.error,
    progress = n.progress
FROM (SELECT unnest($1::bigint[]) AS id, unnest($2::smallint[]) AS was, unnest($3::smallint[]) AS state,
             unnest($4::bigint[]) AS reruns, unnest($5::bigint[]) AS asked, unnest($6::bigint[]) AS stopped,
             unnest($7::bigint[]) AS unconfirmed, unnest($8::bigint[]) AS begun_at, unnest($9::bigint[]) AS ended_at,
             unnest($10::text[]) AS error, unnest($11::text[]) AS progress) AS n
WHERE t.id = n.id AND t.state = n.was
