-- Starts every application of the grants from nothing. What the service and the dashboards may
-- do is then granted from the `-- grant:` line at the head of each function's and view's file,
-- so there is no second list to forget.
REVOKE ALL ON ALL TABLES IN SCHEMA iu_core FROM PUBLIC, iu_app, iu_reader;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA iu_core FROM PUBLIC, iu_app, iu_reader;
REVOKE ALL ON ALL ROUTINES IN SCHEMA iu_core FROM PUBLIC, iu_app, iu_reader;
REVOKE ALL ON SCHEMA iu_core FROM PUBLIC, iu_app, iu_reader;

GRANT USAGE ON SCHEMA iu_core TO iu_app, iu_reader;
