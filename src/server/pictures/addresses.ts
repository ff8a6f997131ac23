/** Which addresses of the internet are public: all others lead into the network that the server stands in. */
import { BlockList, isIP } from 'node:net';

/** IANA's special-purpose registries for IPv4 (RFC 6890 and its updates), multicast and reserved space. */
const specialIpv4 = subnets('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]);

/** Global unicast; everything else of IPv6 is local, special, or IPv4 in disguise. */
const globalIpv6 = subnets('ipv6', [['2000::', 3]]);

/** Special parts within it: Teredo, ORCHID, documentation, benchmarking, 6to4. */
const specialIpv6 = subnets('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);

/** Whether an address, as numbers, is one that everybody on the internet could reach. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !specialIpv4.check(address, 'ipv4');
    case 6:
      return globalIpv6.check(address, 'ipv6') && !specialIpv6.check(address, 'ipv6');
    default:
      return false;
  }
}

function subnets(family: 'ipv4' | 'ipv6', all: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [network, bits] of all) list.addSubnet(network, bits, family);
  return list;
}
