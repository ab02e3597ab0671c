/** Two hundred operations against EC2's API with faults and kills. */
process.env['UNIK_LEAK_OPERATIONS'] ??= '200';
await import('../providers/aws-faults.test.js');
