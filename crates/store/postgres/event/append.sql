-- Many at once: each parameter is a list, one value a row.
INSERT INTO event (seq, epoch, scope, scope_seq, type, time, actor, request, noun, thing, name, task, data, run)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]),
       unnest($5::smallint[]), unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::text[]),
       unnest($9::smallint[]), unnest($10::bigint[]), unnest($11::text[]), unnest($12::bigint[]),
       unnest($13::text[]), unnest($14::bigint[])
