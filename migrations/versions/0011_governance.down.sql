-- Nothing is lost with these rows: the program brings them with it.
DROP TABLE iu_core.dot_iu_command_catalog;
