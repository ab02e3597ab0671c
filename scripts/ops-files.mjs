/**
 * `npm run ops-files`: the operations files of manifests/operations that add cells to cf-deployment, one for each kind
 * of cell. They differ in the provider alone, so they are made from one text. `--check` says which are out of date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = fileURLToPath(new URL('../manifests/operations', import.meta.url));

/**
 * File name, without suffix, to what is of its own. `options`: YAML below `unik`, indented by ten. `deployment`: the cells
 * are in that one, so the file has no group of them.
 */
const KINDS = {
  'add-unik-cell': {
    stack: 'unik',
    provider: 'qemu',
    about: 'Unikernel cells beside the ordinary ones of cf-deployment; modelled on its windows2019-cell.yml.',
    description: 'Unikernels, one machine for each instance',
  },
  'add-unik-stack': {
    stack: 'unik',
    deployment: 'unik-cells',
    group: 'unik-cells',
    about: 'What Cloud Foundry must know of unikernel cells of a deployment of their own (../unik-cells.yml).',
    description: 'Unikernels, one machine for each instance',
  },
  'unik-provider-vsphere': {
    stack: 'unik-vsphere',
    provider: 'vsphere',
    about: 'A cell whose machines are virtual machines of vSphere. Variables: unik_vsphere_*, as below.',
    description: 'Unikernels as virtual machines of vSphere',
    options: `
            url: ((unik_vsphere_url))
            datacenter: ((unik_vsphere_datacenter))
            resource_pool: ((unik_vsphere_resource_pool))
            network: ((unik_vsphere_network))
            datastore: ((unik_vsphere_datastore))
            addresses: ((unik_vsphere_addresses))
          provider_credentials:
            username: ((unik_vsphere_username))
            password: ((unik_vsphere_password))`,
  },
  'unik-provider-openstack': {
    stack: 'unik-openstack',
    provider: 'openstack',
    about:
      'A cell whose machines are servers of an OpenStack cloud. Variables: unik_openstack_*, as below; an application credential.',
    description: 'Unikernels as servers of OpenStack',
    options: `
            auth_url: ((unik_openstack_auth_url))
            region_name: ((unik_openstack_region_name))
            network: ((unik_openstack_network))
            security_groups: [((unik_openstack_security_group))]
          provider_credentials:
            application_credential_id: ((unik_openstack_application_credential_id))
            application_credential_secret: ((unik_openstack_application_credential_secret))`,
  },
  'unik-provider-aws': {
    stack: 'unik-aws',
    provider: 'aws',
    about:
      'A cell whose machines are EC2 instances. Variables: unik_aws_{region,subnet_id,security_group,access_key_id,secret_access_key}.',
    description: 'Unikernels as EC2 instances',
    options: `
            region: ((unik_aws_region))
            subnet_id: ((unik_aws_subnet_id))
            security_group_ids: [((unik_aws_security_group))]
          provider_credentials:
            access_key_id: ((unik_aws_access_key_id))
            secret_access_key: ((unik_aws_secret_access_key))`,
  },
};

/** The instance group of cells. */
function groupOf(group, { stack, provider, options }) {
  return `- type: replace
  path: /instance_groups/name=${group}?
  value:
    name: ${group}
    azs: [z1]
    instances: 1
    vm_type: small-highmem
    vm_extensions: [100GB_ephemeral_disk]
    stemcell: default
    networks: [{ name: default }]
    # Cells move their instances to each other, so one after the other.
    update: { serial: true, max_in_flight: 1 }
    jobs:
    - name: unik-cell
      release: unik
      properties:
        tls:
          ca_cert: ((diego_rep_agent_v2.ca))
          cert: ((diego_rep_agent_v2.certificate))
          key: ((diego_rep_agent_v2.private_key))
        loggregator:
          use_v2_api: true
          ca_cert: ((loggregator_tls_agent.ca))
          cert: ((loggregator_tls_agent.certificate))
          key: ((loggregator_tls_agent.private_key))
        unik:
          stacks: [${stack}]
          provider: ${provider}${options ? `\n          provider_options:${options}` : ''}
    - name: cfdot
      release: diego
      properties:
        tls:
          ca_certificate: ((diego_rep_client.ca))
          certificate: ((diego_rep_client.certificate))
          private_key: ((diego_rep_client.private_key))
    # The one that registers the routes of this cell; the cell's own emitter stays off.
    - name: route_emitter
      release: diego
      properties:
        bpm: { enabled: true }
        loggregator:
          use_v2_api: true
          ca_cert: ((loggregator_tls_agent.ca))
          cert: ((loggregator_tls_agent.certificate))
          key: ((loggregator_tls_agent.private_key))
        diego:
          route_emitter:
            local_mode: true
            bbs:
              ca_cert: ((diego_bbs_client.ca))
              client_cert: ((diego_bbs_client.certificate))
              client_key: ((diego_bbs_client.private_key))
            nats:
              tls:
                enabled: true
                client_cert: ((nats_client_cert.certificate))
                client_key: ((nats_client_cert.private_key))
        internal_routes: { enabled: true }
        tcp: { enabled: true, enable_tls: true }
        uaa:
          ca_cert: ((uaa_ssl.ca))
          client_secret: ((uaa_clients_tcp_emitter_secret))

`;
}

/** The text of one operations file. */
export function opsFile(kind) {
  const { stack, about, description, deployment = 'cf', group = `${stack}-cell` } = kind;
  const capi = [
    ['api', 'cloud_controller_ng'],
    ['cc-worker', 'cloud_controller_worker'],
    ['scheduler', 'cloud_controller_clock'],
    ['scheduler', 'cc_deployment_updater'],
  ].map(([name, job]) => `/instance_groups/name=${name}/jobs/name=${job}/properties/cc/diego`);
  const at = (path, value) => `- type: replace\n  path: ${path}\n  value: ${value}\n`;
  return `---
# ${about}
# Apply it as often as you like. Applications choose these cells by the stack \`${stack}\`; they are staged on ordinary Linux cells.
# Made by \`npm run ops-files\`.

${kind.deployment ? '' : groupOf(group, kind)}# BBS and auctioneer find cells by their names.
${at(`/addons/name=bosh-dns-aliases/jobs/name=bosh-dns-aliases/properties/aliases/domain=_.cell.service.cf.internal/targets/instance_group=${group}?`, `{ query: '_', instance_group: ${group}, deployment: ${deployment}, network: default, domain: bosh }`)}
# A stack has two root file systems: staging takes the first, running the second.
- type: replace
  path: /instance_groups/name=api/jobs/name=cloud_controller_ng/properties/cc/stacks/name=${stack}?
  value:
    name: ${stack}
    description: ${description}
    build_rootfs_image: cflinuxfs4
    run_rootfs_image: ${stack}

# The stock lifecycle and where droplets go, in each of the four places that have to agree.
${capi.map((path) => at(`${path}/lifecycle_bundles/buildpack~1${stack}?`, 'buildpack_app_lifecycle/buildpack_app_lifecycle.tgz') + at(`${path}/droplet_destinations/${stack}?`, '/home/vcap')).join('')}
# Its bin/detect declines for every stack but unik and unik-*, so other applications never meet it.
${at('/instance_groups/name=api/jobs/name=cloud_controller_ng/properties/cc/install_buildpacks/package=unik-buildpack?', '{ name: unik_buildpack, package: unik-buildpack }')}${at('/instance_groups/name=api/jobs/name=unik-buildpack?', '{ name: unik-buildpack, release: unik }')}
${at('/releases/name=unik?', '{ name: unik, version: latest }')}`;
}

/** Names of files that are not what this makes. */
export function outOfDate() {
  return Object.entries(KINDS)
    .filter(([name, kind]) => {
      const file = join(folder, `${name}.yml`);
      return !existsSync(file) || readFileSync(file, 'utf8') !== opsFile(kind);
    })
    .map(([name]) => `${name}.yml`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--check')) {
    const late = outOfDate();
    if (late.length > 0) console.error(`out of date, run npm run ops-files: ${late.join(', ')}`);
    process.exitCode = late.length > 0 ? 1 : 0;
  } else for (const [name, kind] of Object.entries(KINDS)) writeFileSync(join(folder, `${name}.yml`), opsFile(kind));
}
