import { posix } from 'node:path';

/**
 * Environment of an application in a container: HOME, TMPDIR, DEPS_DIR, the instance's part of VCAP_APPLICATION, and
 * DATABASE_URL from the first relational service. Source: buildpackapplifecycle, env.
 */
export function launchEnv(appDir: string, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    // Credentials of the platform are not the application's.
    if (value !== undefined && name !== 'VCAP_PLATFORM_OPTIONS') result[name] = value;
  }
  result['HOME'] = appDir;
  result['TMPDIR'] = posix.resolve(appDir, '../tmp');
  result['DEPS_DIR'] = posix.resolve(appDir, '../deps');
  const application: unknown = JSON.parse(env['VCAP_APPLICATION'] ?? '{}');
  result['VCAP_APPLICATION'] = JSON.stringify({
    ...(typeof application === 'object' ? application : {}),
    host: '0.0.0.0',
    instance_id: env['INSTANCE_GUID'] ?? '',
    ...number('port', env['PORT']),
    ...number('instance_index', env['INSTANCE_INDEX']),
  });
  const database = env['DATABASE_URL'] ?? databaseUrl(env['VCAP_SERVICES'] ?? '{}');
  if (database !== undefined) result['DATABASE_URL'] = database;
  return result;
}

function number(name: string, value: string | undefined): Record<string, number> {
  return value !== undefined && /^\d+$/.test(value) ? { [name]: Number(value) } : {};
}

/** The `uri` of the first service that is a relational database, in the form that frameworks read. */
function databaseUrl(services: string): string | undefined {
  const uris: string[] = [];
  JSON.parse(services, (key, value: unknown) => {
    if (key === 'uri' && typeof value === 'string') uris.push(value);
    return value;
  });
  const found = uris.find((uri) => /^(mysql2?|postgres(ql)?):\/\//.test(uri));
  return found?.replace(/^mysql:/, 'mysql2:').replace(/^postgresql:/, 'postgres:');
}
