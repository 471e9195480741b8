SELECT version, applied_at FROM migration ORDER BY version
