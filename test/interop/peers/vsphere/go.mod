module unik.test/peers/vsphere

go 1.18

require github.com/vmware/govmomi v0.18.0

require github.com/google/uuid v1.6.0 // indirect
