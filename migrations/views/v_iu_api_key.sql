-- grant: iu_app
-- The API keys, without their digests. state: in_force, expired or revoked.
CREATE OR REPLACE VIEW iu_core.v_iu_api_key AS
SELECT k.key_id,
       k.principal,
       k.scope,
       k.actor,
       k.actor_prefixes,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
            WHEN k.expires_at <= clock_timestamp() + t.set_ahead THEN 'expired'
            ELSE 'in_force'
       END AS state,
       k.created_by,
       k.created_at,
       k.expires_at,
       k.revoked_at,
       k.revoked_by
  FROM iu_core.iu_api_key AS k
 CROSS JOIN iu_core.iu_clock AS t;
