//! Dumps that are read through Weir.
//!
//! Owns: the statements that dump tools write around their rows. Never: runs such a tool
//! (`make drivers` does).

use mysql_async::prelude::Queryable;

use super::Stage;
use crate::support::rig::shared_kinds;

/// As mysqldump writes it, with the rule that lets its LOCK TABLES pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_is_read_into_shards() {
    const DUMP: &[&str] = &[
        "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */",
        "/*!40101 SET NAMES utf8mb4 */",
        "/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */",
        "/*!40103 SET TIME_ZONE='+00:00' */",
        "/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */",
        "/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */",
        "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */",
        "/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */",
        "DROP TABLE IF EXISTS `users`",
        "/*!40101 SET @saved_cs_client     = @@character_set_client */",
        "/*!40101 SET character_set_client = utf8mb4 */",
        "CREATE TABLE `users` (`user_id` bigint NOT NULL, `name` varchar(20) DEFAULT NULL, PRIMARY KEY (`user_id`)) \
         ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        "/*!40101 SET character_set_client = @saved_cs_client */",
        "LOCK TABLES `users` WRITE",
        "/*!40000 ALTER TABLE `users` DISABLE KEYS */",
        "INSERT INTO `users` VALUES (0,'zero'),(1,'one'),(2,NULL),(3,'three'),(4,'four')",
        "/*!40000 ALTER TABLE `users` ENABLE KEYS */",
        "UNLOCK TABLES",
        "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */",
        "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
        "/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */",
        "/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */",
        "/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */",
        "/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */",
    ];
    for rig in shared_kinds() {
        let stage = Stage::on(rig);
        let mut conn = stage.conn().await;
        for sql in DUMP {
            conn.query_drop(*sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let names: Vec<(i64, Option<String>)> =
            conn.query("SELECT user_id, name FROM users ORDER BY 1").await.unwrap();
        let name = |text: &str| Some(text.to_owned());
        let expected = [name("zero"), name("one"), None, name("three"), name("four")];
        assert_eq!(names, (0..5).zip(expected).collect::<Vec<_>>());
        // That nothing is locked is said, and a lock that was there before is gone.
        conn.query_drop("CREATE TABLE loose (id INT)").await.unwrap();
        conn.query_drop("LOCK TABLES loose WRITE").await.unwrap();
        conn.query_drop("LOCK TABLES users WRITE, loose READ").await.unwrap();
        let warned: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.unwrap();
        assert_eq!((warned.len(), &*warned[0].0, warned[0].1), (1, "Warning", 1235), "{warned:?}");
        let mut other = stage.conn().await;
        other.query_drop("INSERT INTO loose VALUES (1)").await.unwrap();
        conn.query_drop("UNLOCK TABLES").await.unwrap();
        conn.disconnect().await.unwrap();
        other.disconnect().await.unwrap();
    }
}
