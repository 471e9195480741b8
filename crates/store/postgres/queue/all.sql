SELECT id, scope, name, settings FROM queue ORDER BY id
