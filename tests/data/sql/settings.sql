-- What SET makes of variables, however they are named, holds on all connections.
SET @@sql_select_limit = 3;
SELECT user_id FROM users ORDER BY user_id;
SELECT user_id FROM users WHERE user_id IN (2, 13) ORDER BY user_id;
SET @@sql_select_limit = DEFAULT;
SET @@local.group_concat_max_len = 9, @@lc_time_names = 'fr_FR';
SELECT MONTHNAME('2024-01-01'), user_id FROM users WHERE user_id = 13;
SELECT MONTHNAME('2024-01-01'), user_id FROM users WHERE user_id = 1;
SELECT GROUP_CONCAT(user_id ORDER BY user_id) FROM users WHERE user_id < 20;
SELECT @@lc_time_names, @@group_concat_max_len;
SET /* a comment */ @@lc_time_names := 'de_DE', @@SESSION.group_concat_max_len = 12, SESSION div_precision_increment = 2;
SELECT MONTHNAME('2024-03-01'), 1 / 3, user_id FROM users WHERE user_id IN (1, 2, 3, 13) ORDER BY user_id;
SET @@nosuch_variable = 1;
SET @@lc_time_names = 'nowhere';
SET @@max_connections = 5;
SET @@lc_time_names = DEFAULT, @@group_concat_max_len = DEFAULT, @@div_precision_increment = DEFAULT;
SELECT MONTHNAME('2024-03-01'), 1 / 3, user_id FROM users WHERE user_id IN (1, 13) ORDER BY user_id;
