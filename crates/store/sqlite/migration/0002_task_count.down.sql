DROP TABLE task_count;
