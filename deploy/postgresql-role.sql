-- The role that the portal connects as: it may add to the evidence, and never change, cut or unguard it.
--
-- Run it as the owner of the tables (the role that runs `manage.py migrate`), after the first migrate and after every
-- later one. Nothing is lost by running it again.
--
--   psql "$OWNERS_DATABASE_URL" --set ON_ERROR_STOP=1 --single-transaction --file deploy/postgresql-role.sql
--   psql "$OWNERS_DATABASE_URL" --command '\password lastgood_app'
--
-- Another name: put  --command "SET lastgood.role = 'name'"  before  --file. No psql of its own is needed: any client
-- that sends the file as it stands will do.

DO $script$
DECLARE
  app text := coalesce(nullif(current_setting('lastgood.role', true), ''), 'lastgood_app');
  home text := current_schema();
  entries text := format('%I.incidents_evidenceentry', home);
  checkpoints text := format('%I.incidents_checkpoint', home);
  private_values text := format('%I.incidents_privatevalue', home);
  chains text := format('%I.incidents_evidencechain', home);
  migrations text := format('%I.django_migrations', home);
  guarded text;
  unwanted text;
BEGIN
  IF to_regclass(entries) IS NULL THEN
    RAISE EXCEPTION 'There are no tables in schema %: run manage.py migrate first.', home;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = app) THEN
    BEGIN
      EXECUTE format(
        'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', app);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- made by another run at the same moment
    END;
  END IF;

  -- From nothing up: what an earlier version of this file or a hasty GRANT gave is taken back first.
  EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, %I', home, app);
  EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM PUBLIC, %I', home, app);
  EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %I', home, app);
  -- A temporary table would stand before the real one of the same name.
  EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC, %I', current_database(), app);

  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), app);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', home, app);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', home, app);
  EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', home, app);

  -- Evidence is added and read. A personal value can go, by its trigger only after an entry that says so.
  EXECUTE format('REVOKE UPDATE, DELETE ON %s, %s, %s FROM %I', entries, checkpoints, private_values, app);
  EXECUTE format('GRANT DELETE ON %s TO %I', private_values, app);
  -- The head of a chain moves on; whose chain it is stays.
  EXECUTE format('REVOKE UPDATE, DELETE ON %s FROM %I', chains, app);
  EXECUTE format('GRANT UPDATE (seq, prev, hash, at) ON %s TO %I', chains, app);
  -- Which migrations ran is the owner's to say.
  EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', migrations, app);

  -- Said and looked at: rights come by membership too.
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = app AND (rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls))
  THEN
    RAISE EXCEPTION 'The role % has powers of its own: make the portal another one.', app;
  END IF;
  FOREACH guarded IN ARRAY ARRAY[entries, checkpoints, private_values, chains] LOOP
    IF pg_has_role(app, (SELECT relowner FROM pg_class WHERE oid = guarded::regclass), 'MEMBER') THEN
      RAISE EXCEPTION 'The role % owns %, or is a member of the role that does.', app, guarded;
    END IF;
    SELECT string_agg(privilege, ', ') INTO unwanted
      FROM unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
      WHERE has_table_privilege(app, guarded, privilege)
        AND NOT (guarded = private_values AND privilege = 'DELETE');
    IF unwanted IS NOT NULL THEN
      RAISE EXCEPTION 'The role % still has % on %: look at the roles that it is a member of.', app, unwanted, guarded;
    END IF;
  END LOOP;
  IF has_schema_privilege(app, home, 'CREATE') THEN
    RAISE EXCEPTION 'The role % can still create in schema %.', app, home;
  END IF;
END
$script$;
