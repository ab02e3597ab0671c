"""What openstacksdk, which is not ours, makes of a cloud: it looks at all there is, makes things and deletes them. JSON."""
import json
import sys

import openstack
from openstack import exceptions


def refusal(call, *args, **more):
    """The name of the exception and the words that the client found in the answer."""
    try:
        call(*args, **more)
    except exceptions.HttpException as err:
        return [type(err).__name__, err.status_code, str(err.details or err)]
    return None


def seen(cloud):
    servers = list(cloud.compute.servers())
    return {
        'servers': [[s.id, s.name, s.status, s.metadata, s.addresses, s.image.id, s.has_config_drive] for s in servers],
        'tagged': [s.id for s in cloud.compute.servers(tags=sys.argv[1])] if len(sys.argv) > 1 else [],
        'console': [cloud.compute.get_server_console_output(s.id)['output'] for s in servers if s.status != 'BUILD'],
        'images': [[i.id, i.name, i.status, i.disk_format, i.properties, i.hash_algo] for i in cloud.image.images()],
        'ports': [[p.id, p.name, p.description, p.device_id, p.fixed_ips, p.mac_address] for p in cloud.network.ports()],
        'networks': [n.name for n in cloud.network.networks()],
        'subnets': [s.is_dhcp_enabled for s in cloud.network.subnets()],
        'groups': [g.name for g in cloud.network.security_groups()],
        'flavors': [[f.name, f.ram, f.vcpus, f.disk] for f in cloud.compute.flavors()],
        'instances': cloud.compute.get_limits().absolute.instances,
        'zones': [z.name for z in cloud.compute.availability_zones()],
    }


def made(cloud):
    image = cloud.image.create_image('of-the-client', data=b'boots nothing' * 100, disk_format='raw', container_format='bare')
    network = cloud.network.find_network('apps')
    port = cloud.network.create_port(network_id=network.id, name='of-the-client')
    flavor = cloud.compute.find_flavor('m1.tiny')
    order = dict(name='of-the-client', image_id=image.id, flavor_id=flavor.id, networks=[{'port': port.id}])
    server = cloud.compute.create_server(**order, metadata={'a': 'b'}, user_data='aGVsbG8=', config_drive=True)
    twice = refusal(cloud.compute.create_server, **order)
    server = cloud.compute.wait_for_server(server, wait=60, interval=1)
    facts = [cloud.image.get_image(image.id).status, server.status, server.metadata, cloud.network.get_port(port.id).device_id == server.id]
    cloud.compute.stop_server(server)
    cloud.compute.wait_for_server(server, status='SHUTOFF', wait=60, interval=1)
    stopped_twice = refusal(cloud.compute.stop_server, server)
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, wait=60, interval=1)
    cloud.network.delete_port(port.id)
    cloud.image.delete_image(image.id)
    return {
        'facts': facts,
        'twice': twice,
        'stopped_twice': stopped_twice,
        'no_server': refusal(cloud.compute.get_server, '11111111-1111-4111-8111-111111111111'),
        'no_image': refusal(cloud.image.get_image, '11111111-1111-4111-8111-111111111111'),
        'no_port': refusal(cloud.network.get_port, '11111111-1111-4111-8111-111111111111'),
        'no_flavor': refusal(cloud.compute.create_server, **{**order, 'flavor_id': 'none', 'image_id': image.id}),
    }


cloud = openstack.connect(cloud='apps')
before = seen(cloud)
print(json.dumps({'project': cloud.current_project.name, 'seen': before, 'made': made(cloud), 'after': seen(cloud)}))
