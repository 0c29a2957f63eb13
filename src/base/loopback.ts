import { isIP } from 'node:net'

/** 127.0.0.0/8, ::1 and `localhost`, also when IPv4 is seen through an IPv6 socket. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  const plain = host.replace(/^::ffff:/, '')
  return isIP(plain) === 4 && plain.startsWith('127.')
}
