-- Warnings of the statement's text: every shard says them, and one server says them once.
SELECT user_id, BINARY name FROM users WHERE user_id < 3;
SELECT @@warning_count;
SELECT user_id, BINARY name FROM users WHERE user_id < 3;
SHOW WARNINGS;
SELECT user_id && 1, user_id || 0, ! user_id FROM users WHERE user_id < 3;
SHOW WARNINGS;
SELECT user_id && 1, 1/0 FROM users WHERE user_id < 5 ORDER BY user_id;
SHOW WARNINGS;
SELECT COUNT(*), SUM(user_id && 1) FROM users;
SHOW WARNINGS;
SELECT user_id FROM users WHERE user_id < 9 AND (user_id = 3 || user_id = 4);
SHOW WARNINGS;
SELECT CAST(name AS CHAR CHARACTER SET utf8) FROM users WHERE user_id < 5;
SHOW WARNINGS;
SELECT user_id && 1 FROM users WHERE user_id = 5;
SHOW WARNINGS;
