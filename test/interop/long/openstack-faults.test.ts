process.env['UNIK_LEAK_OPERATIONS'] ??= '200';
await import('../providers/openstack-faults.test.js');
