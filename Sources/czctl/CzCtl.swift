@main struct CzCtl { static func main() {} }
