-- Not all at once: whoever was away for long leaves much behind, and this happens under the store's lock.
DELETE FROM journal WHERE seq >= $1 AND seq < $1 + $3 AND seq <= $2
