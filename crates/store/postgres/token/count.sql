SELECT count(*) FROM (
SELECT 1 FROM token
WHERE $1::text IS NULL OR NOT EXISTS (
    SELECT 1 FROM jsonb_array_elements_text(token.scopes::jsonb) AS own (value)
    WHERE own.value <> ALL (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb))))
LIMIT $2) AS found
