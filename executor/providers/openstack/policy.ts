/**
 * The least that a cell needs, as access rules of an application credential
 * (https://docs.openstack.org/keystone/latest/user/application_credentials.html#access-rules). `{id}` stands for one name.
 */
export const CALLS = {
  compute: [
    ...['GET /servers/detail', 'POST /servers', 'GET /servers/{id}', 'DELETE /servers/{id}'],
    ...['POST /servers/{id}/action', 'GET /flavors/detail', 'GET /limits', 'GET /os-availability-zone'],
    'GET /os-server-groups/{id}',
  ],
  image: ['GET /images', 'POST /images', 'GET /images/{id}', 'PUT /images/{id}/file', 'DELETE /images/{id}'],
  network: [
    ...['GET /networks', 'GET /security-groups', 'GET /subnets', 'GET /security-group-rules'],
    ...['GET /ports', 'POST /ports', 'DELETE /ports/{id}'],
  ],
} as const;

const VERSIONS = { compute: '/v2.1', image: '/v2', network: '/v2.0' } as const;

/** For `openstack application credential create --access-rules`. */
export function openstackPolicy(): Record<string, unknown> {
  const services = ['compute', 'image', 'network'] as const;
  const access_rules = services.flatMap((service) =>
    CALLS[service].map((call) => {
      const [method, path = ''] = call.split(' ');
      return { service, method, path: `${VERSIONS[service]}${path.replace('{id}', '*')}` };
    }),
  );
  return { access_rules, role: 'member' };
}
