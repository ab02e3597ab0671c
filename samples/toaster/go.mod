module toaster

go 1.19
