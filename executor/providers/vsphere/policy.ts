/** Privileges of vSphere, by where the role that holds them must be given. */
export const PRIVILEGES = {
  datacenter: [
    'VirtualMachine.Inventory.Create',
    'VirtualMachine.Inventory.Delete',
    'VirtualMachine.Config.AddNewDisk',
    'VirtualMachine.Config.AddExistingDisk',
    'VirtualMachine.Config.AddRemoveDevice',
    'VirtualMachine.Config.RemoveDisk',
    'VirtualMachine.Interact.PowerOn',
    'VirtualMachine.Interact.PowerOff',
  ],
  datastore: ['Datastore.AllocateSpace', 'Datastore.Browse', 'Datastore.FileManagement'],
  network: ['Network.Assign'],
  resource_pool: ['Resource.AssignVMToPool'],
} as const;

export function vspherePolicy(): Record<string, unknown> {
  return { role: 'unik', privileges: PRIVILEGES };
}
