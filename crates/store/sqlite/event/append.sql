INSERT INTO event (seq, epoch, scope, scope_seq, type, time, actor, request, noun, thing, name, task, data, run)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
