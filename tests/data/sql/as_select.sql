-- DO, and MySQL's TABLE, which MariaDB doesn't know.
DO (SELECT COUNT(*) FROM users), 1;
DO (SELECT user_id FROM users);
DO (SELECT nothing FROM users);
DO (SELECT user_id FROM users WHERE user_id = 5);
-- only: mysql
TABLE regions ORDER BY region_id LIMIT 3;
-- only: mysql
TABLE users ORDER BY user_id LIMIT 2 OFFSET 3;
-- only: mysql
(TABLE coupons) UNION ALL TABLE coupons;
-- only: mysql
TABLE nothing_there;
-- MySQL gives a statement the order of its only derived table.
-- only: mysql
SELECT * FROM (SELECT user_id, name FROM users WHERE user_id < 60 ORDER BY name DESC, user_id) d;
-- only: mysql
SELECT d.name FROM (SELECT user_id, name FROM users ORDER BY name, user_id) d WHERE user_id < 60 LIMIT 7;
-- only: mysql
SELECT COUNT(*) FROM (SELECT user_id, name FROM users ORDER BY name, user_id) d;
-- refused: scatter_join
SELECT (SELECT COUNT(*) FROM users u JOIN items i ON i.item_id = u.user_id FOR UPDATE) AS c;
