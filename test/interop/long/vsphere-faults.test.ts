/** Two hundred operations against vSphere's API with faults and kills. */
process.env['UNIK_LEAK_OPERATIONS'] ??= '200';
await import('../providers/vsphere-faults.test.js');
