module unik.test/peers/bosh-erb

go 1.25.0

require (
	github.com/cloudfoundry/bosh-cli/v7 v7.10.6
	github.com/cloudfoundry/bosh-utils v0.0.623
)
